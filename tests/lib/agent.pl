# agent.pl SOCKET WORD PUBLIC-KEY -- an agent for tests, which misbehaves as the word says:
#
#   mute      takes connections and requests, and says nothing
#   full      does not take connections; its queue is full
#   lists     has the key, and never signs
#   refuses   has the key, and does not sign
#   wrong     signs with another algorithm's name
#   lies      the length of its key is beyond the message
#   huge zero short many hangs_up talks   no message of an agent
#
# SOCKET.ready is made when it listens, SOCKET.connections counts.  Ends with its parent.
use strict;
use IO::Socket::UNIX;
use MIME::Base64;

my ($path, $word, $file) = @ARGV;
open my $f, '<', $file or die;
my $blob = decode_base64((split ' ', <$f>)[1]);
sub str { pack('N/a*', $_[0]) }
sub message { str(join '', @_) }

my $server = IO::Socket::UNIX->new(Local => $path, Listen => $word eq 'full' ? 1 : 20) or die;
my @kept;
if ($word eq 'full') {
    # Connections that are not taken fill the queue.
    for (1 .. 5) {
        my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM) or last;
        $s->blocking(0);
        connect($s, pack_sockaddr_un($path)) or last;
        push @kept, $s;
    }
}
open my $ready, '>', "$path.ready";
close $ready;
$SIG{ALRM} = sub { exit 0 if getppid() == 1 };
my $parent = getppid();
if ($word eq 'full') {
    while (getppid() == $parent) { select undef, undef, undef, 0.2 }
    exit;
}
$server->timeout(1);
my $n = 0;
while (getppid() == $parent) {
    my $c = $server->accept or next;
    open my $count, '>', "$path.connections.new";
    print $count ++$n, "\n";
    close $count;
    rename "$path.connections.new", "$path.connections";
    my $pid = fork // die;
    next if $pid;
    $parent = 0;
    $c->blocking(1);
    alarm 100;
    while (1) {
        read($c, my $head, 4) == 4 or exit;
        read($c, my $body, unpack 'N', $head) or exit;
        my $type = ord $body;
        if ($word eq 'mute') { next }
        if ($word eq 'huge') { print $c pack('N', 0x7fffffff), 'x' x 100000; $c->flush; next }
        if ($word eq 'zero') { print $c pack('N', 0); $c->flush; next }
        if ($word eq 'short') { print $c message("\x0c", "\0\0"); $c->flush; next }
        if ($word eq 'many') { print $c message("\x0c", pack('N', 0xffffffff)); $c->flush; next }
        if ($word eq 'lies') { print $c message("\x0c", pack('N', 1), pack('N', 0xfffffff0), 'x'); $c->flush; next }
        if ($word eq 'hangs_up') { exit }
        if ($type == 11) { print $c message("\x0c", pack('N', 1), str($blob), str("a key\e[1m")) }
        elsif ($word eq 'refuses') { print $c message("\x05") }
        elsif ($word eq 'wrong') { print $c message("\x0e", str(str('ssh-rsa') . str('x' x 64))) }
        elsif ($word eq 'talks') { print $c message("\x05") x 3 }
        $c->flush;
    }
}
