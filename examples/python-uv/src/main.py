"""A FastAPI app. uvicorn runs it: it listens on $PORT and finishes its requests at SIGTERM."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(title="python-uv")


@app.get("/", response_class=PlainTextResponse)
async def index() -> str:
    return "Hello from python-uv!\n"


@app.get("/up", response_class=PlainTextResponse)
async def up() -> str:
    """A health check: it answers once the app is able to serve."""
    return "ok\n"
