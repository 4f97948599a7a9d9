{{ $events }} events, {{ config("app.name") }}
