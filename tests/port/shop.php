<?php

declare(strict_types=1);

// A shop as merchants write one: functions around the client, errors by their class, a bill, orders in a loop.

require __DIR__ . '/vendor/autoload.php';

use GuzzleHttp\Exception\ClientException;
use GuzzleHttp\Exception\ConnectException;
use GuzzleHttp\Exception\RequestException;
use GuzzleHttp\Exception\ServerException;
use WeChatPay\Builder;
use WeChatPay\BuilderChainable;
use WeChatPay\Crypto\Rsa as R;

const APP_ID = 'wxdace645e0bc2c424';
define('NOTIFY_URL', 'https://example.com/notify');

/**
 * The client of the shop.
 */
function client(string $keyFile): BuilderChainable
{
    return Builder::factory([
        'mchid' => '1900000109',
        'serial' => '3775B6A45ACD588826D15E583A95F5DDC0FFEE00',
        'privateKey' => R::from('file://' . $keyFile),
        'certs' => [
            'PUB_KEY_ID_0119000001092026010100000000000000' => R::from('file:///path/to/wechatpay/pub_key.pem', R::KEY_TYPE_PUBLIC),
        ],
        'base_uri' => getenv('WXPAY_BASE_URI'),
        'timeout' => 10,
    ]);
}

/**
 * Places an order and returns what its QR code shows.
 */
function placeOrder(BuilderChainable $instance, string $outTradeNo, int $total, array $goods = []): string
{
    $order = [
        'mchid' => '1900000109',
        'appid' => APP_ID,
        'description' => "订单 {$outTradeNo}",
        'out_trade_no' => $outTradeNo,
        'notify_url' => NOTIFY_URL,
        'amount' => ['total' => $total, 'currency' => 'CNY'],
    ];
    if (!empty($goods)) {
        $order['detail'] = ['goods_detail' => $goods];
    }
    $resp = $instance->v3->pay->transactions->native->post(['json' => $order]);
    $result = json_decode((string) $resp->getBody(), true);

    return $result['code_url'];
}

/** The state of an order, or why there is none. */
function stateOf(BuilderChainable $instance, string $outTradeNo): string
{
    try {
        $resp = $instance->chain('v3/pay/transactions/out-trade-no/{out_trade_no}')->get([
            'out_trade_no' => $outTradeNo,
            'query' => ['mchid' => '1900000109'],
        ]);
        return json_decode($resp->getBody()->getContents(), true)['trade_state'];
    } catch (ClientException $e) {
        // 4xx
        $body = json_decode((string) $e->getResponse()->getBody(), true);
        return $e->getResponse()->getStatusCode() . ' ' . $body['code'];
    } catch (ServerException $e) {
        return 'later';
    } catch (ConnectException $e) {
        return 'no connection';
    }
}

function refund(BuilderChainable $instance, string $outTradeNo, int $refund, int $total): ?array
{
    try {
        $response = $instance->v3->refund->domestic->refunds->post([
            'json' => [
                'out_trade_no' => $outTradeNo,
                'out_refund_no' => 'R' . $outTradeNo,
                'reason' => '退款',
                'amount' => ['refund' => $refund, 'total' => $total, 'currency' => 'CNY'],
            ],
        ]);
    } catch (RequestException $e) {
        error_log('refund of ' . $outTradeNo . ': ' . $e->getMessage());
        return null;
    }
    return json_decode((string) $response->getBody(), true);
}

$instance = client('/path/to/merchant/apiclient_key.pem');

$orders = ['shop-1' => 100, 'shop-2' => 250];
foreach ($orders as $no => $total) {
    $url = placeOrder($instance, $no, $total, [['merchant_goods_id' => 'g' . $total, 'quantity' => 1, 'unit_price' => $total]]);
    echo $no, ' ', substr($url, 0, 9), PHP_EOL;
}
foreach (array_keys($orders) as $no) {
    echo $no . ': ' . stateOf($instance, $no) . PHP_EOL;
}
echo 'shop-3: ', stateOf($instance, 'shop-3'), PHP_EOL;

$refunded = refund($instance, 'paid-1', 30, 90);
if ($refunded === null) {
    echo "no refund\n";
} else {
    printf("%s %d of %d\n", $refunded['out_refund_no'], $refunded['amount']['refund'], $refunded['amount']['total']);
}
$none = refund($instance, 'shop-2', 1, 250);
echo $none ? 'a refund' : 'no refund', PHP_EOL;

// Two under way before either is waited for.
$first = $instance->v3->pay->transactions->outTradeNo->_out_trade_no_->getAsync(['out_trade_no' => 'shop-1', 'query' => ['mchid' => '1900000109']]);
$second = $instance->v3->pay->transactions->outTradeNo->_out_trade_no_->getAsync(['out_trade_no' => 'shop-2', 'query' => ['mchid' => '1900000109']]);
echo 'second ', $second->wait()->getStatusCode(), PHP_EOL;
echo 'first ', $first->wait()->getStatusCode(), PHP_EOL;

// The bill of a day, into a file.
$resp = $instance->v3->bill->tradebill->get(['query' => ['bill_date' => '2026-11-01', 'bill_type' => 'ALL']]);
['download_url' => $url] = json_decode((string) $resp->getBody(), true);
[, $token] = explode('token=', $url);
$instance->v3->billdownload->file->get(['query' => ['token' => $token], 'sink' => '/path/to/bill.csv']);
echo strlen(file_get_contents('/path/to/bill.csv')) > 100 ? 'whole' : 'broken', PHP_EOL;
