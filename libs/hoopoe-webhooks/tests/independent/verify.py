"""Checks signatures with Python's own hmac and with the stock standardwebhooks package.

Reads {"fixed", "requests"} from standard input and answers in the same order; judges nothing.
"""
import hashlib
import hmac
import json
import sys
from datetime import datetime, timezone

from standardwebhooks import Webhook, WebhookVerificationError


def webhook(case):
    return Webhook(case["secret"].encode() if case["raw"] else case["secret"])


def platform_accepts(request):
    expected = hmac.new(request["secret"].encode(), request["body"].encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(request["headers"]["x-wl-signature"], expected)


def standard_accepts(request):
    try:
        webhook(request).verify(request["body"].encode(), request["headers"], json_parse=False)
        return True
    except WebhookVerificationError:
        return False


def sign(case):
    timestamp = datetime.fromtimestamp(case["timestamp"], tz=timezone.utc)
    return webhook(case).sign(case["id"], timestamp, case["body"])


given = json.loads(sys.stdin.buffer.read())
answer = {
    "signed": [sign(case) for case in given["fixed"]],
    "accepted": [{"platform": platform_accepts(r), "standard": standard_accepts(r)} for r in given["requests"]],
}
print(json.dumps(answer))
