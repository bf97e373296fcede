<?php

namespace app\service;

use think\facade\Db;
use WeChatPay\BuilderChainable;

class Refund
{
    protected $config = ['mchid' => '1900000109'];
    protected $instance;

    public function app(): BuilderChainable
    {
        return $this->instance;
    }

    // The number of the refund is stored before the call.
    public function create($id, $fee)
    {
        $order = Db::name('order')->find($id);
        $no = $this->number($id);
        Db::name('refund')->insert(['no' => $no, 'order' => $id]);
        $params = ['out_trade_no' => $order['no'], 'out_refund_no' => $no];
        if ($this->isPartial($order, $fee)) {
            $params['reason'] = 'partial';
        }
        switch ($order['type']) {
            case 'a':
                $params['funds_account'] = 'AVAILABLE';
                break;
            default:
                $params['notify_url'] = 'https://example.com/' . $order['type'];
        }
        $params['amount'] = ['refund' => intval($fee * 100), 'total' => $order['total'], 'currency' => 'CNY'];
        $result = $this->app()->chain('v3/refund/domestic/refunds')->postAsync(['json' => $params])
            ->then(function ($response) {
                trace('refunded');
                return $response;
            })->wait();
        return json(['code' => $result->getStatusCode()]);
    }

    // The number of the second call comes from code between the calls.
    public function both($id)
    {
        $first = $this->instance->chain('v3/pay/transactions/out-trade-no/{no}')->get([
            'no' => $id, 'query' => ['mchid' => $this->config['mchid']],
        ]);
        $next = Db::name('order')->where('after', $first->getStatusCode())->value('no');
        $second = $this->instance->chain('v3/pay/transactions/out-trade-no/{no}')->get([
            'no' => $next, 'query' => ['mchid' => $this->config['mchid']],
        ]);
        return [$first->getStatusCode(), $second->getStatusCode()];
    }

    private function isPartial($order, $fee)
    {
        return $order['total'] != intval($fee * 100);
    }

    private function number($id)
    {
        return 'R' . $id . Db::next();
    }
}
