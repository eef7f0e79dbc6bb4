<?php

declare(strict_types=1);

namespace Greeting;

final class Greeting
{
    public static function to(string $name): string
    {
        return "Hello from $name!\n";
    }
}
