"""Links in mails: to a match, behind a login; to the recipient's choices and out of the alerts, without one.

Whoever holds the second kind may change what one address is alerted of, and nothing else: it is made of the address and
the node's secret, and tells no third party the address.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

_TOKEN = 24  # characters of base64, 144 bits


@dataclass(frozen=True)
class Links:
    """Makes links of a node that is reached at `base`."""

    base: str
    secret: str

    def match(self, match_id: str) -> str:
        """Return the link to a match."""
        return f"{self.base}/matches/{quote(match_id, safe='')}"

    def choices(self, address: str) -> str:
        """Return the link to what an address has chosen."""
        return f"{self.base}/alerts/{self.token(address)}"

    def unsubscribe(self, address: str) -> str:
        """Return the link by which an address gets no more alerts (RFC 8058)."""
        return f"{self.choices(address)}/unsubscribe"

    def token(self, address: str) -> str:
        """Return what stands for an address in a link."""
        digest = hmac.digest(self.secret.encode(), b"alerts\0" + address.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()[:_TOKEN]

    @staticmethod
    def is_token(text: str) -> bool:
        """Tell whether a text may be a token at all."""
        return len(text) == _TOKEN and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
