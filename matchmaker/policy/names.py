"""The id by which a peer knows a case: the same for life, and another one for every peer.

Made from the case's public id, 128 bits of chance that never leave the node, so that two peers that lay their ids side
by side learn nothing from them.
"""

import hashlib


def name_for(peer: str, public_id: str) -> str:
    """Return the id by which a peer knows a case: 32 hexadecimal digits."""
    return hashlib.blake2b(peer.encode(), key=public_id.encode()[:64], digest_size=16).hexdigest()
