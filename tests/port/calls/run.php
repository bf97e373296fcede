<?php

// Runs the classes of this folder with stand-ins for their frameworks and for the SDK.

namespace {
    require __DIR__ . '/sdk.php';

    class Loose
    {
        public function __construct(public array $own)
        {
        }

        public function __get($name)
        {
            return $this->own[$name] ?? null;
        }

        public function __call($name, $arguments)
        {
            return is_callable($this->own[$name] ?? null) ? $this->own[$name](...$arguments) : $this;
        }

        public static function __callStatic($name, $arguments)
        {
            return new self([]);
        }
    }

    function config($name)
    {
        static $own = ['wechat.mchid' => '1900000109', 'wechat.appid' => 'wx8888888888888888'];
        if (is_array($name)) {
            return $own = $name + $own;
        }
        return $own[$name] ?? $name;
    }

    function url($path)
    {
        return 'https://shop.example' . $path;
    }

    function redirect()
    {
        return new Loose([]);
    }

    function view($name, $values)
    {
        return $values;
    }

    function trace($text)
    {
    }

    function json($value)
    {
        return $value;
    }
}

namespace App\Models {
    class Order
    {
        public static function findOrFail($id)
        {
            return new \Loose(['no' => 'L1000001', 'total' => 0.29, 'note' => ' first ', 'update' => fn () => null]);
        }

        public static function unpaid()
        {
            return [new \Loose(['no' => 'L1000002']), new \Loose(['no' => 'L1000003'])];
        }
    }
}

namespace Illuminate\Http {
    class Request extends \Loose
    {
    }
}

namespace Illuminate\Support\Facades {
    class Log extends \Loose
    {
    }
}

namespace App\Http\Controllers {
    class Controller
    {
    }
}

namespace think\facade {
    class Db
    {
        public static function name($table)
        {
            return new \Loose([
                'find' => fn () => ['no' => 'L1000001', 'type' => 'b', 'total' => 29],
                'insert' => fn () => null,
                'value' => fn () => 'L1000005',
            ]);
        }

        public static function next()
        {
            return '01';
        }
    }
}

namespace shop {
    class Base
    {
        const KIND = 'base';
    }

    class Order
    {
        public $a = 1;

        public function next()
        {
            $this->a++;
        }
    }
}

namespace WeChatPay {
    class Formatter
    {
        public static function timestamp(): int
        {
            return 1;
        }

        public static function nonce(): string
        {
            return 'n';
        }

        public static function joinedByLineFeed(...$pieces): string
        {
            return implode("\n", $pieces) . "\n";
        }
    }
}

namespace WeChatPay\Crypto {
    class Rsa
    {
        public static function sign(string $message, $key): string
        {
            return $message;
        }
    }
}

namespace {
    require __DIR__ . '/laravel.php';
    require __DIR__ . '/think.php';
    require __DIR__ . '/shop.php';

    $client = \WeChatPay\Builder::factory([]);
    $controller = new \App\Http\Controllers\OrderController($client);
    $request = new \Illuminate\Http\Request(['input' => fn ($name) => 'o-1']);
    $controller->pay($request, 7);
    $controller->close($request);
    $refund = new \app\service\Refund();
    (function () use ($client) {
        $this->instance = $client;
    })->call($refund);
    $refund->create(7, 0.1);
    $refund->both('L1000004');
    $counter = 0;
    $shop = new \shop\Shop(['1900000110' => $client, '1900000111' => $client]);
    $shop->refunds(['a' => 1, 'b' => 2]);
    $shop->rows([7, 8]);
    $shop->merchants('1900000110');
    $shop->settings();
    $shop->byReference();
    $shop->changed();
    $shop->globals();
    $shop->included('a');
    $shop->model(new \shop\Order());
    $shop->upper('U1');
}
