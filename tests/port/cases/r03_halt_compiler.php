<?php
echo "code\n";
__halt_compiler();
this is <?php not code {{{
