"""md5, sha1 and sha256 of the whole content, computed in one pass over it."""

from __future__ import annotations

from nightlamp.signals.signal import hashlib_signal

MD5 = hashlib_signal("md5")
SHA1 = hashlib_signal("sha1")
SHA256 = hashlib_signal("sha256")
