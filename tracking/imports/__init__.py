"""Files from other systems - telephone exchanges, CRMs, spreadsheets - turned into domain records."""
