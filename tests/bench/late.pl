#!/usr/bin/perl
# late.pl FILE ADDRESS PORT [ADDRESS PORT]... -- a relay to each PORT on ADDRESS that hands on what it gets after a
# while, both ways.  FILE holds the milliseconds for one way; read anew for each connection.  Writes its ports, in
# that order, to FILE.port.  On USR1 it writes to FILE.count what has gone through it since the last time:
#
#     CONNECTIONS TURNS BYTES-UP BYTES-DOWN
#
# A turn is an answer of the host to something that we sent: a round trip, unless more was sent before it came.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my ($file, @to) = @ARGV;
my $readers = IO::Select->new;
my (%behind, @ports);    # of a listener: address and port
while (my ($address, $port) = splice(@to, 0, 2)) {
    my $listener = IO::Socket::INET->new(LocalAddr => $address, Listen => 100) or die "cannot listen: $!";
    $behind{$listener} = [$address, $port];
    push @ports, $listener->sockport;
    $readers->add($listener);
}
replace("$file.port", map { "$_\n" } @ports);
my (%peer, %late, @queue);    # of a socket: the other one, seconds; [when, to, bytes], in order
my (%is_ours, %has_asked);    # of a socket: it leads to who connected; of one to a host: that it was sent something
my ($connections, $turns, $up, $down, $count) = (0, 0, 0, 0, 0);

# Readers see all of it or nothing.
sub replace {
    my ($name, @text) = @_;
    open(my $out, '>', "$name.new") or die $!;
    print $out @text;
    close($out);
    rename("$name.new", $name);
}

sub connected {
    my ($listener) = @_;
    my $client = $listener->accept or return;
    my ($address, $port) = @{$behind{$listener}};
    my $host = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or return;
    open(my $in, '<', $file) or die "$file: $!";
    my $ms = <$in>;
    for ([$client, $host], [$host, $client]) {
        my ($one, $other) = @$_;
        setsockopt($one, 6, 1, 1);    # TCP_NODELAY
        ($peer{$one}, $late{$one}) = ($other, $ms / 1000);
        $readers->add($one);
    }
    $is_ours{$client} = 1;
    $connections++;
}

sub note {
    my ($from, $n) = @_;
    if ($is_ours{$from}) {
        $up += $n;
        $has_asked{$peer{$from}} = 1;
    } else {
        $down += $n;
        $turns++ if delete $has_asked{$from};
    }
}

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
$SIG{USR1} = sub { $count = 1 };
while (1) {
    my $left = @queue ? $queue[0][0] - time : 0.2;
    for my $socket ($readers->can_read($left > 0 ? $left : 0)) {
        if ($behind{$socket}) { connected($socket); next }
        my $n = sysread($socket, my $bytes, 1 << 20);
        note($socket, $n) if $n;
        push @queue, [time + $late{$socket}, $peer{$socket}, $n ? $bytes : ''];
        # Their order is that of their times as long as all are late by the same.
        @queue = sort { $a->[0] <=> $b->[0] } @queue;
        $readers->remove($socket) unless $n;
    }
    now_and_then();
    if ($count) {
        replace("$file.count", "$connections $turns $up $down\n");
        ($connections, $turns, $up, $down, $count) = (0) x 5;
    }
}
