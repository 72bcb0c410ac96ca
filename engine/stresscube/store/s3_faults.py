"""What went wrong at an S3 store, in one sentence that says what to do."""

from __future__ import annotations

import re

from stresscube.errors import NoAnswer, StoreError

CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if there is one), "
    "or AWS_SKIP_SIGNATURE=true for a public bucket"
)
REGION = "set AWS_REGION to the bucket's region"
REFUSALS = {
    "NoSuchBucket": "there is no such bucket: create it, or name another",
    "InvalidBucketName": "no bucket can have this name: name another",
    "AccessDenied": "access denied: these credentials must be allowed to list the bucket and to "
    "get, put and delete objects in it",
    "AllAccessDisabled": "access denied: the bucket is disabled",
    "ExpiredToken": "the credentials have expired: renew them and run the same command again",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "PermanentRedirect": f"the bucket is in another region: {REGION}",
    "AuthorizationHeaderMalformed": f"the bucket is in another region: {REGION}",
    "IllegalLocationConstraintException": f"the bucket is in another region: {REGION}",
    "QuotaExceeded": "the bucket's quota is used up: make room and run the same command again",
}
BAD_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity")
METADATA = ("/latest/api/token", "/latest/meta-data")
"""Where a cloud instance is asked for credentials when the environment has none."""
WHY = (
    (r"dns error", "its name is not known"),
    (r"ConnectionRefused", "it refuses connections"),
    (r"TimedOut|kind: Timeout|deadline has elapsed", "it did not answer in time"),
    (r"InvalidCertificate|UnknownIssuer", "its certificate is not trusted"),
    (r"InvalidContentType|corrupt message", "it speaks no TLS, so its address may be http://"),
)


def explain(place: str, fault: Exception) -> StoreError:
    """Return the error to raise for what obstore raised; NoAnswer if it may pass."""
    text = str(fault)
    if any(path in text for path in METADATA):
        return StoreError(f"{place}: no credentials found: {CREDENTIALS}")
    code, status = _first(r"<Code>(\w+)</Code>", text), _first(r"status code: (\d{3}[\w ]*)", text)
    if code.startswith(BAD_CREDENTIALS):
        return StoreError(f"{place}: the store refuses these credentials ({code}): {CREDENTIALS}")
    if code in REFUSALS:
        return StoreError(f"{place}: {REFUSALS[code]}")
    if status.startswith(("401", "403")):
        return StoreError(f"{place}: {REFUSALS['AccessDenied']} ({code or status})")
    if status.startswith("301"):
        return StoreError(f"{place}: {REFUSALS['PermanentRedirect']}")
    if status and not status.startswith("5"):
        return StoreError(f"{place}: the store answered {status.strip()} {code}".rstrip())
    if status:
        why = f"it answers {status.strip()} {code}".rstrip()
    else:
        why = next((words for cause, words in WHY if re.search(cause, text)), _short(text))
    server = _first(r"(https?://[^/\s]+)", text) or "the store"
    return NoAnswer(
        f"{place}: no answer from {server}: {why}; finished blocks are kept, run the same command "
        "again to go on"
    )


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _short(text: str) -> str:
    """Return what a message says last before it turns to details."""
    line = text.strip().partition("\n")[0].rpartition(" - ")[2]
    return line if len(line) <= 200 else f"{line[:200]}..."
