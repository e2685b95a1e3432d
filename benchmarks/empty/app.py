"""The floor: a route that does nothing, under the same gunicorn as Atom's listener.

gunicorn -k atom.cli.balance.Worker -w 2 --threads 16 benchmarks.empty.app:app
"""

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)


@app.post("/fs/<service>/actions/<action>")
def answer(service: str, action: str) -> ResponseReturnValue:
    """Answer WAIT, and forget it."""
    return jsonify(token=request.get_json()["token"], invokeType="WAIT")
