#!/usr/bin/perl
# pgwire.pl HOST PORT USER DATABASE SQL... -- a driver of its own: of libpq's environment it heeds PGAPPNAME and
# nothing else.  For servers that ask for no password.  Prints errors; status 1 after one.
use strict;
use warnings;
use IO::Socket::INET;

my ($host, $port, $user, $database, @sql) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "no connection: $!\n";
my $startup = pack 'N(Z*)*', 196608, 'user', $user, 'database', $database, 'application_name', $ENV{PGAPPNAME} // '';
syswrite $s, pack('N', length($startup) + 5) . $startup . "\0";

# To the end of the answer; what it says in an error message.
sub answer {
    my $error;
    for (;;) {
        read($s, my $head, 5) == 5 or die "the connection was closed\n";
        my ($type, $length) = unpack 'aN', $head;
        my $body = '';
        $length > 4 and (read($s, $body, $length - 4) == $length - 4 or die "the connection was closed\n");
        if ($type eq 'E') {
            my %field = map { substr($_, 0, 1) => substr($_, 1) } grep { length } split /\0/, $body;
            $error = "$field{M} ($field{C})";
            print STDERR "error: $error\n";
        }
        return $error if $type eq 'Z';
    }
}

answer() and exit 1;
for my $sql (@sql) {
    syswrite $s, 'Q' . pack('N', length($sql) + 5) . "$sql\0";
    answer() and exit 1;
}
