<?php
// The absolute path of a file, or false.
$here = realpath('.');
echo is_string($here) ? 'text' : 'other', ' ', realpath('') === $here ? 'same' : 'other', "\n";
echo realpath('./.') === $here ? 'same' : 'other', ' ', substr($here, 0, 1), "\n";
$none = realpath('/no/such/file.pem');
echo $none === false ? 'none' : 'file', ' [' . $none . "]\n";
if (!realpath('/no/such/file.pem')) {
    echo "no file\n";
}
