"""The HTTP API, and one node of the service behind it.

Promises: every 2xx is durable; every error is a problem of a stable type; a key learns no more than its
scopes allow; bodies cost no more than the settings' bytes and seconds. Takes ``Settings``; gives a FastAPI
app. Must never log content, hash values, entries' ids, secrets or query strings, and has no logic that
another door would need: that is ``nightlamp.intake``.

``docs/api.md`` describes the API, ``docs/service.md`` how to run it.
"""

from nightlamp.server.app import create_app
from nightlamp.server.node import Check, Node
from nightlamp.server.run import serve

__all__ = ["Check", "Node", "create_app", "serve"]
