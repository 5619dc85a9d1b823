"""What a supplier keeps: campaigns and material, companies, answers, deals, costs, touches and rates."""
