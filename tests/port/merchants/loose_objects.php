<?php
function part0()
{
    $o = new stdClass();
    echo json_encode($o), json_encode([]), json_encode(['o' => new stdClass()]);
    $d = json_decode('{"a":{"b":[1,2]}}');
    echo $d->a->b[1], isset($d->a->c) ? 1 : 0, $d->x ?? 'none', json_encode($d);
}
part0();
echo "\n";
