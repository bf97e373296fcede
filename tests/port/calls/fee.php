<?php

$fee = 5;
