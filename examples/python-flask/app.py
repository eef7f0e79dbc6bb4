"""A Flask app. gunicorn runs it: it listens on $PORT, and at SIGTERM it ends the requests first."""

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def index():
    return "Hello from python-flask!\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/up")
def up():
    """A health check: it answers once the app is able to serve."""
    return jsonify(status="ok")
