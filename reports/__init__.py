"""KPIs, ROI and documents: tables in, tables and pictures out."""
