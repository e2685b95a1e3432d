"""An empty Flask route: it answers WAIT with the token of the request, and does nothing else.

The token is cut out of the body, which begins with it, rather than that JSON be read.
"""

from typing import Final

from flask import Flask, Response, request

app = Flask(__name__)

# `{"token":"`, and a UUID.
_TOKEN: Final = slice(10, 46)


@app.post("/fs/<service>/actions/<action>")
def accept(service: str, action: str) -> Response:
    """Answer what is needed to be counted as accepted."""
    token = request.get_data(as_text=True)[_TOKEN]
    answer = f'{{"token":"{token}","invokeType":"WAIT","waitMessage":"Working on it","outputs":[]}}'
    return Response(answer, mimetype="application/json")
