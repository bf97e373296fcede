<?php
class U
{
    private $v = 1;
    private $list = [];
    public function mix() { $this->v = $this->v + 0.5; return $this->v; }
    public function text() { $this->v = 'a' . $this->v; return $this->v; }
    public function put($k, $x) { $this->list[$k][] = $x; return $this->list; }
    public function drop($k) { unset($this->list[$k]); return count($this->list); }
    public function bump($k) { $this->list[$k]['n'] = ($this->list[$k]['n'] ?? 0) + 1; return $this->list[$k]; }
}
$u = new U();
echo $u->mix(), ' ', $u->text(), "\n";
echo json_encode($u->put('a', 1)), json_encode($u->put('a', 2)), json_encode($u->put(5, 2)), "\n";
echo $u->drop('a'), json_encode($u->bump('z')), json_encode($u->bump('z')), "\n";
