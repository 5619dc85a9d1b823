"""Telephone numbers that belong to nobody: the ranges reserved for fiction, as callers of a benchmark."""

# Area codes of the United States, in each of which 555-0100 to 555-0199 are kept for fiction, and the two
# blocks of Germany and the United Kingdom: 32,000 callers in all.
AREAS = [area for area in range(201, 990) if area % 100 != 11 and area % 10 != area // 10 % 10][:300]
CALLERS = (
    [f"+1{area}555{last:04d}" for area in AREAS for last in range(100, 200)]
    + [f"+493023125{last:03d}" for last in range(1000)]
    + [f"+442079460{last:03d}" for last in range(1000)]
)
