<?php
class PayException extends \Exception {}
class Svc
{
    private $tries = 0;
    public function attempt($ok)
    {
        $this->tries++;
        if (!$ok) { throw new PayException('no ' . $this->tries); }
        return 'ok ' . $this->tries;
    }
    public function safe($ok)
    {
        try {
            return $this->attempt($ok);
        } catch (PayException $e) {
            $this->tries += 10;
            return 'caught ' . $e->getMessage();
        } finally {
            $this->tries += 100;
        }
    }
}
$s = new Svc();
echo $s->safe(true), "\n", $s->safe(false), "\n", $s->safe(true), "\n";
