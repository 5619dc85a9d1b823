"""From the records to figures: journeys, credit, ROI, the quality of the data, scheduled reports."""
