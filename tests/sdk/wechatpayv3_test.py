"""The PyPI package wechatpayv3, pointed at the local sandbox. docs/SANDBOX-SDKS.md shows how to run it."""

import json
import os
import queue
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core


def text(name):
    """What the file of a variable like file:///a/b.pem holds."""
    return Path(os.environ[name].removeprefix("file://")).read_text(encoding="utf-8")


GATEWAY = os.environ["WXPAY_BASE_URI"].rstrip("/")
CONTROL = os.environ.get("WXPAY_SANDBOX_URL", GATEWAY).rstrip("/")
FOLDER = Path(os.environ["WXPAY_SANDBOX"])
APPID = "wxd678efh567hg6787"
OUT_TRADE_NO = "python-1"
MERCHANT = {
    "wechatpay_type": WeChatPayType.NATIVE,
    "mchid": os.environ["WXPAY_MCHID"],
    "private_key": text("WXPAY_PRIVATE_KEY"),
    "cert_serial_no": os.environ["WXPAY_SERIAL"],
    "appid": APPID,
    "apiv3_key": os.environ["WXPAY_APIV3_KEY"],
    "timeout": (5, 10),
}
steps = 0


def done(what):
    global steps
    steps += 1
    print(f"{steps}. {what}", flush=True)


def same(left, right):
    if left != right:
        raise AssertionError(f"{left!r} is not {right!r}")


def answered(call):
    """The JSON of a call that must succeed."""
    code, message = call
    same(code, 200)
    return json.loads(message)


def control(call, body):
    """What a buyer or a tester does."""
    request = urllib.request.Request(
        f"{CONTROL}/sandbox/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


# With a public key the constructor asks nothing, so that the gateway can be set after it.
by_key = WeChatPay(
    **MERCHANT, public_key=text("WXPAY_PLATFORM_KEY"), public_key_id=os.environ["WXPAY_PLATFORM_KEY_ID"]
)
by_key._core._gate_way = GATEWAY

# With certificates it downloads them while it is made, from the gateway that it has just given itself. A property of the class takes
# precedence over that attribute, and nothing else of the package is touched.
Core._gate_way = property(lambda self: GATEWAY, lambda self, gateway: None)

with tempfile.TemporaryDirectory() as cert_dir:
    wxpay = WeChatPay(**MERCHANT, cert_dir=cert_dir)
    [saved] = Path(cert_dir).iterdir()
    same(saved.read_text(encoding="utf-8"), (FOLDER / "wechatpay_cert.pem").read_text(encoding="utf-8"))
done("certificates downloaded and decrypted")

inbox = queue.Queue()


class Notify(BaseHTTPRequestHandler):
    """The merchant's notify_url: 204 to what the SDK verifies and decrypts, 401 to anything else."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        notification = wxpay.callback(self.headers, body)
        self.send_response(204 if notification else 401)
        self.end_headers()
        inbox.put(notification)

    def log_message(self, *_):
        pass


notify = ThreadingHTTPServer(("127.0.0.1", 0), Notify)
notify_url = f"http://127.0.0.1:{notify.server_port}/notify"
threading.Thread(target=notify.serve_forever, daemon=True).start()

order = answered(
    wxpay.pay(
        description="Image形象店-深圳腾大-QQ公仔",
        out_trade_no=OUT_TRADE_NO,
        amount={"total": 100, "currency": "CNY"},
        notify_url=notify_url,
    )
)
same(order["code_url"][:9], "weixin://")
done("native order placed")

same(answered(wxpay.query(out_trade_no=OUT_TRADE_NO))["trade_state"], "NOTPAY")
done("order queried: not paid")

transaction_id = control("pay", {"out_trade_no": OUT_TRADE_NO})["transaction_id"]
done("order paid")

paid = inbox.get(timeout=20)
same(paid["event_type"], "TRANSACTION.SUCCESS")
same(
    [paid["resource"][name] for name in ("out_trade_no", "transaction_id", "trade_state")],
    [OUT_TRADE_NO, transaction_id, "SUCCESS"],
)
same(paid["resource"]["amount"]["total"], 100)
done("notification of the payment verified and decrypted")

control("probe", {"notify_url": notify_url})
same(inbox.get(timeout=20), None)
done("notification with a wrong signature refused")

same(answered(wxpay.query(transaction_id=transaction_id))["trade_state"], "SUCCESS")
done("order queried: paid")

refund = answered(
    wxpay.refund(
        out_refund_no="python-r1",
        out_trade_no=OUT_TRADE_NO,
        reason="商品已售完",
        notify_url=notify_url,
        amount={"refund": 30, "total": 100, "currency": "CNY"},
    )
)
same(refund["status"], "PROCESSING")
done("refund asked for")

refunded = inbox.get(timeout=20)
same(refunded["event_type"], "REFUND.SUCCESS")
same([refunded["resource"]["refund_id"], refunded["resource"]["amount"]["refund"]], [refund["refund_id"], 30])
done("notification of the refund verified and decrypted")

same(answered(wxpay.query_refund("python-r1"))["status"], "SUCCESS")
done("refund queried: done")

control("fault", {"fault": "wrong-signature"})
try:
    wxpay.query(out_trade_no=OUT_TRADE_NO)
except Exception as refused:  # The package raises nothing more precise.
    same(str(refused), "failed to verify the signature")
else:
    raise AssertionError("an answer with a wrong signature was taken")
done("answer with a wrong signature refused")

same(answered(by_key.query(out_trade_no=OUT_TRADE_NO))["trade_state"], "REFUND")
same(by_key._core._certificates, [])
done("answer verified with the public key")

notify.shutdown()
print(f"wechatpayv3 {version('wechatpayv3')}: {steps} steps done")
