"""A Flask app."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "Hello from python-pipenv!\n", {"Content-Type": "text/plain; charset=utf-8"}
