<?php
#[AllowDynamicProperties]
class D
{
    public function set($x) { $this->late = $x; }
    public function get() { return $this->late ?? 'unset'; }
}
$d = new D();
echo $d->get(), "\n";
$d->set(3);
echo $d->get(), "\n";
