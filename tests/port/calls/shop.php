<?php

namespace shop;

use WeChatPay\BuilderChainable;

// Code whose values change between its calls.
class Shop extends Base
{
    const TYPE = 'own';

    private $n = 0;
    private $no = 'A';
    private $tag = 'T1';
    private $list = [['fee' => 1], ['fee' => 2]];
    private $clients;
    private BuilderChainable $client;
    private static $seq = 0;

    public function __construct(array $clients)
    {
        $this->clients = $clients;
        $this->client = $clients['1900000110'];
    }

    // One method for two numbers.
    public function refunds($order)
    {
        $this->client->chain('v3/refund/domestic/refunds')->post(['json' => ['out_refund_no' => $this->newNo(), 'x' => $order['a']]]);
        $this->client->chain('v3/refund/domestic/refunds')->post(['json' => ['out_refund_no' => $this->newNo(), 'x' => $order['b']]]);
    }

    public function rows($rows)
    {
        foreach ($rows as $row) {
            $this->client->chain('v3/refund/domestic/refunds')->post(['json' => ['out_refund_no' => $this->newNo(), 'fee' => $row]]);
        }
    }

    public function merchants($mch)
    {
        $this->clients[$mch]->chain('v3/ecommerce/fund/balance/{sub_mchid}')->get(['sub_mchid' => $mch]);
        $mch = '1900000111';
        $this->clients[$mch]->chain('v3/ecommerce/fund/balance/{sub_mchid}')->get(['sub_mchid' => $mch]);
    }

    public function settings()
    {
        $a = ['json' => ['mchid' => config('wechat.mchid')]];
        config(['wechat.mchid' => '2']);
        $a['json']['next'] = config('wechat.mchid');
        $this->client->chain('v3/a')->post($a);
    }

    public function byReference()
    {
        $list = [['fee' => 1], ['fee' => 2]];
        foreach ($list as &$row) {
            $row['fee'] = $row['fee'] * 100;
        }
        unset($row);
        $this->client->chain('v3/a')->post(['json' => ['list' => $list]]);
        foreach ($this->list as $k => &$one) {
            $one['fee'] += 5;
        }
        $this->client->chain('v3/a')->post(['json' => ['list' => $this->list]]);
        $a = ['x' => 1];
        $b = &$a['x'];
        $b = 2;
        $this->client->chain('v3/a')->post(['json' => $a]);
        $p = ['x' => 1];
        $set = function () use (&$p) { $p['x'] = 3; };
        $set();
        $this->client->chain('v3/a')->post(['json' => $p]);
        $q = ['x' => 1];
        $this->fill($q);
        $this->client->chain('v3/a')->post(['json' => $q]);
        $text = str_replace('a', 'b', 'aaa', $count);
        $this->client->chain('v3/a')->post(['json' => ['count' => $count, 'text' => $text]]);
    }

    public function changed()
    {
        $this->no = 'B';
        $x = $this->reset();
        $this->client->chain('v3/a')->post(['json' => ['no' => $this->no, 'x' => $x]]);
        $this->no = 'C';
        $this->client->chain('v3/a')->post(['json' => ['no' => $this->no, 'x' => $this->reset(), 'z' => $this->no]]);
        $this->no = 'D';
        foreach ([1, 2] as $i) {
            $this->client->chain('v3/a')->post(['json' => ['no' => $this->no]]);
            $this->advance();
        }
    }

    public function globals()
    {
        global $setting;
        $setting = 'x';
        $this->other();
        $this->client->chain('v3/a')->post(['json' => ['s' => $setting, 'type' => self::KIND, 'own' => self::TYPE, 'g' => $GLOBALS['setting']]]);
        $old = ['json' => ['seq' => self::$seq, 'type' => static::TYPE]];
        self::$seq = 5;
        $old['json']['new'] = self::$seq;
        $this->client->chain('v3/a')->post($old);
    }

    public function included($mch)
    {
        $fee = 1;
        include __DIR__ . '/fee.php';
        $this->client->chain('v3/a')->post(['json' => ['fee' => $fee]]);
    }

    public function model($order)
    {
        $p = ['a' => $order->a];
        foreach ([1, 2] as $i) {
            $this->client->chain('v3/a')->post(['json' => ['first' => $p['a'], 'now' => $order->a]]);
            $order->next();
        }
    }

    public function upper($id)
    {
        $chain = $this->client->chain('v3/a');
        $chain->POST(['json' => ['id' => $id]]);
    }

    private function newNo()
    {
        return 'R' . ++$GLOBALS['counter'];
    }

    private function reset()
    {
        $this->no = $this->no . '-reset';
        return 1;
    }

    private function fill(&$params)
    {
        $params['x'] = 9;
    }

    private function advance()
    {
        $this->no++;
    }

    private function other()
    {
        global $setting;
        $setting = 'changed';
    }
}

class Unrelated
{
    const KIND = 'unrelated';
}
