<?php

namespace App\Http\Controllers;

use App\Models\Order;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Log;
use WeChatPay\BuilderChainable;
use WeChatPay\Crypto\Rsa;
use WeChatPay\Formatter;

class OrderController extends Controller
{
    private const CURRENCY = 'CNY';

    public function __construct(private BuilderChainable $wechat)
    {
    }

    public function pay(Request $request, $id)
    {
        $order = Order::findOrFail($id);
        if ($order->paid) {
            return redirect()->back();
        }
        $options = ['json' => [
            'mchid' => config('wechat.mchid'),
            'appid' => config('wechat.appid'),
            'out_trade_no' => $order->no,
            'description' => "Order {$order->no}",
            'notify_url' => url('/notify'),
            'amount' => ['total' => (int) round($order->total * 100), 'currency' => self::CURRENCY],
            'payer' => ['openid' => $request->input('openid')],
        ]];
        if ($order->note) {
            $options['json']['attach'] = trim($order->note);
        }
        Log::info('pay', $options);
        try {
            $response = $this->wechat->chain('v3/pay/transactions/jsapi')->post($options);
            $body = json_decode((string) $response->getBody(), true);
            $order->update(['prepay_id' => $body['prepay_id']]);
            $params = [
                'appId' => config('wechat.appid'),
                'timeStamp' => (string) Formatter::timestamp(),
                'nonceStr' => Formatter::nonce(),
                'package' => 'prepay_id=' . $body['prepay_id'],
            ];
            $params['paySign'] = Rsa::sign(Formatter::joinedByLineFeed(...array_values($params)), config('wechat.key'));
            return view('pay', compact('params'));
        } catch (\Exception $e) {
            Log::error($e->getMessage());
            return redirect()->back();
        }
    }

    public function close(Request $request)
    {
        foreach (Order::unpaid() as $order) {
            $this->wechat->v3->pay->transactions->outTradeNo->_no_->close->post([
                'no' => $order->no,
                'json' => ['mchid' => config('wechat.mchid')],
            ]);
            $order->delete();
        }
        return redirect()->back();
    }
}
