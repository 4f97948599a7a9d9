#!/usr/bin/perl
# link.pl DIR ADDRESS PORT -- what lies between us and a host: a TCP relay to PORT on ADDRESS.
#
# Writes its pid and port to DIR/link.pid and DIR/link.port.  At SIGUSR1 it reads one word from
# DIR/link.want, does it, and writes it to DIR/link.is:
#
#     open   bytes go both ways.  Connections that lost some meanwhile are reset
#     both   all connections are reset, new ones refused
#     deaf   what is sent to the host is swallowed; nobody is told
#     mute   what the host sends is swallowed
#     slow   what is sent to the host gets there at some 300 kB a second
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);

my ($dir, $address, $to) = @ARGV;
my ($state, $asked, $port, $listener) = ('open', 0, 0, undef);
my %pair_of;    # of each socket's number: its pair
$SIG{USR1} = sub { $asked = 1 };
$SIG{PIPE} = 'IGNORE';

sub write_file {
    my ($name, $text) = @_;
    open(my $file, '>', "$dir/$name.new") or die "$dir/$name: $!";
    print $file "$text\n";
    close($file);
    rename("$dir/$name.new", "$dir/$name");
}

sub begin_to_listen {
    $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 100, ReuseAddr => 1)
        or die "cannot listen on $address:$port: $!";
    $port = $listener->sockport;
}

sub reset_pair {
    my ($pair) = @_;
    for my $socket (grep { $_ } @$pair{qw(client host)}) {
        delete $pair_of{fileno $socket};
        setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
        close($socket);
    }
}

sub pairs { my %seen; return grep { !$seen{$_}++ } values %pair_of }

sub change {
    $asked = 0;
    open(my $file, '<', "$dir/link.want") or return;
    chomp($state = <$file>);
    if ($state eq 'both') {
        close($listener) if $listener;
        $listener = undef;
        reset_pair($_) for pairs();
    }
    elsif ($state eq 'open') {
        reset_pair($_) for grep { $_->{lost} } pairs();
        begin_to_listen() unless $listener;
    }
    write_file('link.is', $state);
}

sub take_new {
    my $client = $listener->accept or return;
    my $host = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $to, Timeout => 5);
    my $pair = {client => $client, host => $host, lost => 0, to_host => '', to_client => '', ended => ''};
    $pair_of{fileno $client} = $pair;
    return reset_pair($pair) unless $host;
    $pair_of{fileno $host} = $pair;
    $_->blocking(0) for $client, $host;
}

# An end of one side is passed on when all bytes before it have been.
sub pass_on {
    my ($pair, $from) = @_;
    my ($to, $buffer) = $from eq 'client' ? ('host', 'to_host') : ('client', 'to_client');
    my $swallowed = ($state eq 'deaf' && $from eq 'client') || ($state eq 'mute' && $from eq 'host');
    my $slow = $state eq 'slow' && $from eq 'client';
    select(undef, undef, undef, 0.05) if $slow;
    my $n = sysread($pair->{$from}, my $bytes, $slow ? 16384 : 65536);
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    if ($swallowed) {
        $pair->{lost} = 1;
        $pair->{ended} .= " $from" unless $n;    # not read again: it would be ready for ever
    }
    elsif (!defined $n) { reset_pair($pair) }
    elsif (!$n) {
        $pair->{ended} .= " $from";
        shutdown($pair->{$to}, 1) if $pair->{$buffer} eq '';
        reset_pair($pair) if $pair->{ended} =~ /client/ && $pair->{ended} =~ /host/ && $pair->{to_client} eq '';
    }
    else {
        $pair->{$buffer} .= $bytes;
        send_on($pair, $to);
    }
}

sub send_on {
    my ($pair, $to) = @_;
    my ($from, $buffer) = $to eq 'host' ? ('client', 'to_host') : ('host', 'to_client');
    my $n = syswrite($pair->{$to}, $pair->{$buffer});
    if (defined $n) { substr($pair->{$buffer}, 0, $n) = '' }
    elsif (!$!{EAGAIN} && !$!{EINTR}) { return reset_pair($pair) }
    shutdown($pair->{$to}, 1) if $pair->{$buffer} eq '' && $pair->{ended} =~ /$from/;
}

begin_to_listen();
write_file('link.port', $port);
write_file('link.is', 'open');
write_file('link.pid', $$);
while (1) {
    change() if $asked;
    my ($readers, $writers) = (IO::Select->new, IO::Select->new);
    $readers->add($listener) if $listener;
    for my $pair (pairs()) {
        for my $side (qw(client host)) {
            $readers->add($pair->{$side}) if $pair->{ended} !~ /$side/;
            $writers->add($pair->{$side}) if $pair->{"to_$side"} ne '';
        }
    }
    # With a limit, since a signal may come between the look at $asked and this.
    my ($readable, $writable) = IO::Select->select($readers, $writers, undef, 0.2);
    for my $socket (@{$readable || []}) {
        if ($listener && $socket == $listener) { take_new(); next }
        my $pair = defined fileno $socket ? $pair_of{fileno $socket} : undef;
        pass_on($pair, $socket == $pair->{client} ? 'client' : 'host') if $pair;
    }
    for my $socket (@{$writable || []}) {
        my $pair = defined fileno $socket ? $pair_of{fileno $socket} : undef;
        send_on($pair, $socket == $pair->{client} ? 'client' : 'host') if $pair;
    }
}
