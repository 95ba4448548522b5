"""HTTP in and out. No rule of the exchange is decided here."""
