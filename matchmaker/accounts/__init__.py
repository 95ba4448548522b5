"""How people prove who they are: passwords, a second factor, sessions, an OpenID provider. Knows no store, no page."""
