<?php
// Handlers of notifications in a controller: one prints its response, one returns it.

use Illuminate\Http\Request;
use WeChatPay\Crypto\Rsa;
use WeChatPay\Formatter;

class Controller
{
    private $key = 'file:///path/to/wechatpay/pub_key.pem';

    public function prints()
    {
        $headers = getallheaders();
        $body = file_get_contents('php://input');
        try {
            if (!Rsa::verify(Formatter::joinedByLineFeed($headers['Wechatpay-Timestamp'], $headers['Wechatpay-Nonce'], $body), $headers['Wechatpay-Signature'], Rsa::from($this->key, 'public'))) {
                header('HTTP/1.1 401 Unauthorized');
                exit('forged');
            }
            $data = json_decode($body, true);
            echo $data['event_type'];
            if ($data['event_type'] != 'TRANSACTION.SUCCESS') {
                throw new \Exception('unknown event');
            }
        } catch (\Exception $e) {
            http_response_code(500);
            die(': ' . $e->getMessage());
        }
        print ' accepted';
    }

    public function returns(Request $request): string
    {
        $verified = Rsa::verify(
            Formatter::joinedByLineFeed($request->header('wechatpay-timestamp'), $request->header('Wechatpay-Nonce'), $request->getContent()),
            (string) $request->header('Wechatpay-Signature'),
            Rsa::from($this->key, 'public')
        );
        return $verified ? 'accepted' : 'forged';
    }
}
