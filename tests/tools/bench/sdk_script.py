"""What a user of the official SDK writes for a job: sdk_script.py JOB PATTERN; the jobs are those of workloads.py."""

import fnmatch
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

job, pattern = sys.argv[1:]
client = plivo.RestClient()
if job == "HANG_UP_ALL":
    client.conferences.delete_all()
else:
    names = client.conferences.list().conferences
    if job == "DETAILS":
        conferences = [client.conferences.get(name) for name in names]
        assert [conference.conference_name for conference in conferences] == names
    elif job == "HANG_UP_PATTERN":
        for name in fnmatch.filter(names, pattern):
            client.conferences.delete(name)
