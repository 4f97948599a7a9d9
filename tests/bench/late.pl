#!/usr/bin/perl
# late.pl FILE ADDRESS PORT -- a relay to PORT on ADDRESS that hands on what it gets after a while, both
# ways.  FILE holds the milliseconds for one way; read anew for each connection.  Writes its port to FILE.port.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my ($file, $address, $to) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => $address, Listen => 100) or die "cannot listen: $!";
open(my $out, '>', "$file.port.new") or die $!;
print $out $listener->sockport, "\n";
close($out);
rename("$file.port.new", "$file.port");
my $readers = IO::Select->new($listener);
my (%peer, %late, @queue);    # of a socket: the other one, seconds; [when, to, bytes], in order

sub now_and_then {
    while (@queue && $queue[0][0] <= time) {
        my (undef, $socket, $bytes) = @{shift @queue};
        if ($bytes eq '') { shutdown($socket, 1); next }
        while ($bytes ne '') {
            my $n = syswrite($socket, $bytes);
            last unless defined $n;
            substr($bytes, 0, $n) = '';
        }
    }
}

$SIG{PIPE} = 'IGNORE';
while (1) {
    my $left = @queue ? $queue[0][0] - time : 0.2;
    for my $socket ($readers->can_read($left > 0 ? $left : 0)) {
        if ($socket == $listener) {
            my $client = $listener->accept or next;
            my $host = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $to) or next;
            open(my $in, '<', $file) or die "$file: $!";
            my $ms = <$in>;
            for ([$client, $host], [$host, $client]) {
                my ($one, $other) = @$_;
                setsockopt($one, 6, 1, 1);    # TCP_NODELAY
                ($peer{$one}, $late{$one}) = ($other, $ms / 1000);
                $readers->add($one);
            }
            next;
        }
        my $n = sysread($socket, my $bytes, 1 << 20);
        push @queue, [time + $late{$socket}, $peer{$socket}, $n ? $bytes : ''];
        # Their order is that of their times as long as all are late by the same.
        @queue = sort { $a->[0] <=> $b->[0] } @queue;
        $readers->remove($socket) unless $n;
    }
    now_and_then();
}
