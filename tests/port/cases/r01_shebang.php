#!/usr/bin/env php
<?php
echo "run\n";
