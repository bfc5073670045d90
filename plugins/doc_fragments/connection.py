# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say how to reach the API; the modules' side is in module_utils/_module.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Used by every module."""

    DOCUMENTATION = r"""
options:
  auth_id:
    description:
      - Auth ID of the Plivo account or subaccount.
      - Letters, digits, C(-) and C(_). It is no secret, and it shows in logs.
      - If the option is not set, the environment variable E(PLIVO_AUTH_ID) of the host where the module runs is used.
    type: str
    required: true
  auth_token:
    description:
      - Auth token that belongs to O(auth_id).
      - The module never puts it into output, logs, diffs or failures. Ansible shows what is written in clear on the
        command line or in a task that fails; so take it from the environment or from a vault.
      - If the option is not set, the environment variable E(PLIVO_AUTH_TOKEN) of the host where the module runs is
        used.
      - Prefer a vault variable or the environment of the controller to a task's C(environment) keyword, which
        Ansible itself shows at C(-vvv).
    type: str
    required: true
  api_url:
    description:
      - Base URL of the API. A path prefix in it is kept.
      - User information, a query and a fragment are refused. So is plain C(http), unless it goes to V(localhost),
        V(127.0.0.0/8) or V(::1), because the token would cross the network in clear.
      - If the option is not set, the environment variable E(PLIVO_API_URL) of the host where the module runs is used.
    type: str
    default: https://api.plivo.com/v1
  validate_certs:
    description:
      - Whether to check the server's certificate.
      - V(false) is for tests only. Whoever sits in between can then read the token.
    type: bool
    default: true
  ca_path:
    description:
      - CA certificates to check the server's certificate with, as a file in PEM format or a hashed directory.
      - It wins over the environment variables E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE). Without any of them the
        certificates that come with the Python library requests are used.
    type: path
  timeout:
    description:
      - How long one attempt may take as a whole, in seconds, from connecting to the last byte of the answer.
        Only the resolution of the host's name is not counted.
      - From V(0.001) to V(3600).
    type: float
    default: 10
  retries:
    description:
      - How many further attempts follow a failed one that may pass, which are connection failures, timeouts, the
        statuses 408, 429 and 5xx, and answers shorter than announced.
      - The pauses grow exponentially, with jitter. C(Retry-After) is honoured up to 60 seconds. After a 429 all
        connections pause.
      - With the default and without C(Retry-After) a request that keeps failing is given up after about 7 to 15
        seconds of pauses, and the time of its five attempts.
      - From V(0) to V(100).
    type: int
    default: 4
  max_connections:
    description:
      - How many requests may be under way at once. Never more than O(rate_limit), and never more than half of it where
        run time or members decide about a hangup.
      - From V(1) to V(256).
    type: int
    default: 16
  rate_limit:
    description:
      - How many requests the module allows itself in any 5 seconds. V(0) means no limit.
      - Plivo allows an account 300 requests in 5 seconds for all its Conference API calls together, live traffic of
        the account included. The default leaves a third of that to others.
      - Each module counts for itself. Tasks that run at the same time against one account add up, and then back off
        when they meet a 429.
      - From V(0) to V(100000).
    type: int
    default: 200
  callback_url:
    description:
      - Turns on asynchronous mode. The API answers at once with an C(api_id), and sends the real answer to this URL.
      - An absolute C(http) or C(https) URL. It is sent untouched, with its fragment, by which Plivo lets you tune the
        callback, such as V(https://example.com/cb#ct=2000&rt=40000).
      - Accepted is not done. The API accepts a request for a conference that does not exist just the same.
      - Do not set it in C(module_defaults), where it would silently turn every task into an asynchronous one.
    type: str
  callback_method:
    description:
      - HTTP method with which O(callback_url) is called. Plivo uses V(POST) when it is not given.
      - Needs O(callback_url).
    type: str
    choices: [POST, GET]
requirements:
  - Python 3.9 or newer on the host where the module runs
  - requests >= 2.25.1 on the host where the module runs
notes:
  - Run the modules on the controller or on any host that reaches the API, for example with C(hosts=localhost) or
    C(delegate_to=localhost). They manage nothing on that host.
  - Keep O(auth_id) and O(auth_token) in vault variables, or in the environment of the controller. In AWX a custom
    credential type injects them as E(PLIVO_AUTH_ID) and E(PLIVO_AUTH_TOKEN). For one play or for all its tasks, set
    them in C(module_defaults) with the group C(group/plivo.voice.conference).
  - Proxies come from the environment variables E(HTTPS_PROXY) and E(NO_PROXY). C(~/.netrc) never replaces the
    credentials. Redirects are never followed, and count as errors.
  - "Retries are told once, at the end of the task, as a warning such as C(12 retries: 9 × 429, 3 × timeout)."
  - A task that is killed, by its C(timeout) keyword or by a cancelled job, can give no account of what it has done.
  - In a failure RV(error) says what kind it was, so that playbooks can branch on it, and everything that was done or
    read before it is returned just the same.
"""
