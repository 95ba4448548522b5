"""Who may learn what, and how much may be asked. Pure functions of values handed in; deny, then allow."""
