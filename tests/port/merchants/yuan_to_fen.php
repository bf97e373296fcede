<?php
foreach ([0.01, 0.29, 19.99, 1.1, 8.2, 9.95, 1234.56, 0.57, 4.35, 64.1, 1.005, 2.675, 1.255] as $yuan) {
    echo $yuan, ' ', (int) ($yuan * 100), ' ', intval($yuan * 100), ' ', intval(round($yuan * 100)), ' ', round($yuan, 2), ' ', (int) bcmul((string) $yuan, '100', 0), ' ', sprintf('%.2f', $yuan), ' ', sprintf('%d', $yuan * 100), ' ', number_format($yuan, 2), ' ', number_format($yuan * 100, 0, '.', ''), ' ', floor($yuan * 100), ' ', ceil($yuan * 100), ' ', sprintf('%.1f', $yuan), ' ', sprintf('%.0f', $yuan * 100), "\n";
}
