"""Orders, pays and queries against `wxpay sandbox`, with the standard library and the command alone.

The standard library has no RSA, so the command signs the requests and verifies the responses.
"""

import json
import subprocess
import tempfile
import time
import urllib.request


def wxpay(*arguments, data=b""):
    """The standard output of the command."""
    command = ["wxpay", "--config", f"{folder}/wxpay.toml", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()


def call(method, target, body=None):
    """The JSON of a call whose response has a valid signature."""
    data = json.dumps(body).encode() if body else b""
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Authorization": wxpay("sign", "request", method, target, "--body", "-", data=data),
    }
    request = urllib.request.Request(settings["base_uri"] + target[1:], data or None, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        received = response.read()
        lines = [f"{name}: {value}\n" for name, value in response.headers.items()]
        # An old response could be a replay. The command verifies it as of its own time.
        age = abs(time.time() - int(response.headers["Wechatpay-Timestamp"]))
        assert age <= 300, f"the response was signed {age:.0f} s ago"
    wxpay("verify", "response", "-", data="".join([*lines, "\n"]).encode() + received)
    return json.loads(received)


with tempfile.TemporaryDirectory() as folder:
    arguments = ["wxpay", "sandbox", "--port", "0", "--dir", folder, "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as sandbox:
        try:
            settings = json.loads(sandbox.stdout.readline())
            order = call("POST", "/v3/pay/transactions/native", {
                "appid": "wxd678efh567hg6787", "mchid": settings["mchid"], "description": "a book",
                "out_trade_no": "python-1", "notify_url": "https://example.com/notify", "amount": {"total": 100},
            })
            assert order["code_url"].startswith("weixin://"), order
            wxpay("sandbox", "pay", "python-1")
            query = f"/v3/pay/transactions/out-trade-no/python-1?mchid={settings['mchid']}"
            state = call("GET", query)["trade_state"]
            assert state == "SUCCESS", state
            print("Python: ordered, paid and queried an order")
        finally:
            sandbox.terminate()
