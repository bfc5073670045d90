"""What a user of the official SDK writes for the two jobs: list without an argument, hang up with one."""

import json
import os
import sys

import plivo  # type: ignore[import-untyped]
from plivo.rest import client as sdk  # type: ignore[import-untyped]

# The SDK has no option for its base URL.
for constant in (
    "PLIVO_API_BASE_URI",
    "API_VOICE_BASE_URI",
    "API_VOICE_BASE_URI_FALLBACK_1",
    "API_VOICE_BASE_URI_FALLBACK_2",
):
    setattr(sdk, constant, os.environ["PLIVO_API_URL"] + "/Account")

client = plivo.RestClient()
if len(sys.argv) == 1:
    answer = client.conferences.list()
    print(json.dumps(answer.conferences, default=vars))
else:
    client.conferences.delete(sys.argv[1])
