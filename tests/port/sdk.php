<?php

// A stand-in for the PHP SDK: makes no call, prints what a call is given. With it PHP itself says whether the PHP that the tests
// generate means what the corpus says.

namespace WeChatPay {
    final class Builder
    {
        public static function factory(array $config): BuilderChainable
        {
            return new BuilderChainable('');
        }
    }

    final class BuilderChainable implements \ArrayAccess
    {
        public function __construct(private string $path)
        {
        }

        public function chain(string $segment): self
        {
            $name = \preg_replace_callback('#[A-Z]#', static fn ($m) => '-' . \strtolower($m[0]), \lcfirst($segment));
            $name = \preg_replace('#^_(.*)_$#', '{$1}', $name);
            return new self(\ltrim($this->path . '/' . $name, '/'));
        }

        public function __get(string $name): self
        {
            return $this->chain($name);
        }

        public function offsetGet(mixed $offset): self
        {
            return $this->chain($offset);
        }

        public function offsetExists(mixed $offset): bool
        {
            return true;
        }

        public function offsetSet(mixed $offset, mixed $value): void
        {
        }

        public function offsetUnset(mixed $offset): void
        {
        }

        public function __call(string $verb, array $arguments): mixed
        {
            $method = \preg_replace('#Async$#', '', $verb);
            \fwrite(\STDERR, \json_encode([
                'function' => \debug_backtrace(\DEBUG_BACKTRACE_IGNORE_ARGS, 2)[1]['function'] ?? '',
                'method' => \strtoupper($method),
                'async' => $verb !== $method,
                'path' => $this->path,
                'options' => $arguments[0] ?? null,
            ], \JSON_THROW_ON_ERROR) . "\n");
            return $verb === $method ? new Response() : new Promise(new Response());
        }
    }

    final class Response
    {
        public function getStatusCode(): int
        {
            return 200;
        }

        public function getBody(): string
        {
            return '{}';
        }
    }

    final class Promise
    {
        public function __construct(private mixed $value)
        {
        }

        public function then(callable $fulfilled): self
        {
            return new self($fulfilled($this->value));
        }

        public function otherwise(callable $rejected): self
        {
            return $this;
        }

        public function wait(): mixed
        {
            return $this->value;
        }
    }
}

namespace WeChatPay\Util {
    final class MediaUtil
    {
        private string $contents;
        private ?string $meta = null;

        public function __construct(private string $path, ?string $stream = null)
        {
            $this->contents = $stream ?? \file_get_contents($path);
        }

        public function setMeta(?string $json = null): int
        {
            $this->meta = $json;
            return \strlen((string) $json);
        }

        public function getStream(): array
        {
            return ['filename' => \basename($this->path), 'contents' => $this->contents, 'meta' => $this->meta];
        }

        public function getContentType(): string
        {
            return 'multipart/form-data';
        }
    }
}

namespace GuzzleHttp\Psr7 {
    final class Utils
    {
        public static function streamFor(string $contents): string
        {
            return $contents;
        }
    }
}
