"""Errors as clients expect them: OpenAI's error object, and TensorFlow Serving's."""

from __future__ import annotations

import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

logger = logging.getLogger(__name__)

# OpenAI's word for each status.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "server_error",
    500: "server_error",
}


class ApiError(Exception):
    """An answer other than the one the client asked for.

    Args:
        status: HTTP status code.
        message: One sentence.
        param: The request's field that is to blame.
        code: A word for programs, such as `model_not_found`.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers

    def to_dict(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }


class PredictError(Exception):
    """An error in TensorFlow Serving's words.

    Args:
        status: HTTP status code.
        message: What TensorFlow Serving would say.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def busy(message: str = "The server is busy: its queue is full") -> ApiError:
    """Return the error for a request that should come again later."""
    return ApiError(429, message, code="queue_full", headers={"Retry-After": "1"})


async def answer_api_error(_: Request, error: Exception) -> JSONResponse:
    """Return the response for an `ApiError`."""
    assert isinstance(error, ApiError)
    return JSONResponse(error.to_dict(), error.status, error.headers)


async def answer_predict_error(_: Request, error: Exception) -> JSONResponse:
    """Return the response for a `PredictError`."""
    assert isinstance(error, PredictError)
    return JSONResponse({"error": str(error)}, error.status)


async def answer_http_error(_: Request, error: Exception) -> Response:
    """Return the response for a path or method that does not exist."""
    assert isinstance(error, HTTPException)
    messages = {404: "There is nothing at this path", 405: "This path has another method"}
    message = messages.get(error.status_code, error.detail)
    headers = dict(error.headers) if error.headers else None
    return JSONResponse(ApiError(error.status_code, message).to_dict(), error.status_code, headers)


async def answer_nothing(_: Request, __: Exception) -> Response:
    """Return a response that reaches no client, because it is gone."""
    return Response(status_code=400)


async def answer_unexpected(_: Request, error: Exception) -> Response:
    """Return the response for an error that should not happen."""
    # The error may quote the prompt, so its type is all that goes out.
    logger.error("A request failed: %s", type(error).__name__)
    return JSONResponse(ApiError(500, "The server failed to answer").to_dict(), 500)
