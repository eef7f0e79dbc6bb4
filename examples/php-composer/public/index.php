<?php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$text = App\Pages::answer($path);
http_response_code($text === null ? 404 : 200);
header('Content-Type: text/plain; charset=utf-8');
echo $text ?? "There is no page at $path.\n";
