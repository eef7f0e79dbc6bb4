<?php

declare(strict_types=1);

namespace App;

use Greeting\Greeting;

/** The pages of the app, by path. */
final class Pages
{
    /** The text of a page, or null if there is none. */
    public static function answer(string $path): ?string
    {
        return match ($path) {
            '/' => Greeting::to('php-composer'),
            '/up' => "ok\n",
            '/sum' => bcadd('99999999999999999999', '1') . "\n",
            default => null,
        };
    }
}
