# git-http.pl DIR [LIE] -- a Git server over HTTP for tests: the repositories under DIR, behind a login if DIR/login has
# USER:PASSWORD.  It listens on a free port of 127.0.0.1, which it writes into DIR/port, and ends with its parent.  LIE:
#
#   endless     refs without an end
#   truncated   a pack that ends in its middle
#   flipped     a pack with one byte changed
#   missing     refs that name commits which it does not have
#   escape      a ref whose name and error have terminal escapes
#   elsewhere   redirects to a file of this machine
#   silent      takes the request and says nothing
use strict;
use IO::Socket::INET;
use MIME::Base64;

my ($dir, $lie) = @ARGV;
$lie //= '';
my $login = '';
if (open my $l, '<', "$dir/login") { chomp($login = <$l>) }
my $parent = getppid();
my $server = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die;
open my $f, '>', "$dir/port.new" or die;
print $f $server->sockport;
close $f;
rename "$dir/port.new", "$dir/port" or die;
$SIG{CHLD} = 'IGNORE';
$SIG{ALRM} = sub { exit 0 if getppid() != $parent; alarm 1 };
alarm 1;

sub answer {
    my ($c, $status, $headers, $body) = @_;
    print $c "HTTP/1.1 $status\r\n${headers}Content-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}
sub line { sprintf('%04x', 4 + length $_[0]) . $_[0] }

# What `git http-backend` answers.
sub backend {
    my ($method, $path, $query, $headers, $body) = @_;
    my ($in, $out) = ("$dir/in.$$", "$dir/out.$$");
    open my $to, '>', $in or die;
    print $to $body;
    close $to;
    local $SIG{CHLD} = 'DEFAULT';
    local %ENV = (%ENV, GIT_PROJECT_ROOT => $dir, GIT_HTTP_EXPORT_ALL => 1, PATH_INFO => $path, QUERY_STRING => $query,
        REQUEST_METHOD => $method, CONTENT_TYPE => $headers->{'content-type'} // '', CONTENT_LENGTH => length $body,
        HTTP_CONTENT_ENCODING => $headers->{'content-encoding'} // '', REMOTE_USER => 'ann');
    system("git http-backend <$in >$out");
    open my $from, '<', $out or die;
    local $/;
    my ($head, $rest) = split /\r?\n\r?\n/, <$from>, 2;
    unlink $in, $out;
    my $status = $head =~ s/^Status: ([^\r\n]*)\r?\n//mi ? $1 : '200 OK';
    $head =~ s/\r?\n/\r\n/g;
    return ($status, "$head\r\n", $rest);
}

sub read_request {
    my ($c) = @_;
    my ($request, %headers) = (scalar <$c>);
    while (my $l = <$c>) {
        last if $l =~ /^\r?\n$/;
        $headers{lc $1} = $2 if $l =~ /^([^:]+): *(.*?)\r?\n$/;
    }
    my $body = '';
    if (($headers{'transfer-encoding'} // '') =~ /chunked/i) {
        while (my $n = hex(<$c> // 0)) {
            read $c, my $piece, $n;
            $body .= $piece;
            <$c>;
        }
        <$c>;
    } elsif ($headers{'content-length'}) {
        read $c, $body, $headers{'content-length'};
    }
    return ($request, \%headers, $body);
}

sub serve {
    my ($c) = @_;
    my ($request, $headers, $body) = read_request($c);
    my ($method, $path, $query) = ($request // '') =~ m{^(\S+) ([^ ?]+)\??(\S*)} or return;
    return sleep 600 if $lie eq 'silent';
    return answer($c, '302 Found', "Location: file:///etc/\r\n", '') if $lie eq 'elsewhere';
    if ($login and ($headers->{authorization} // '') ne 'Basic ' . encode_base64($login, '')) {
        return answer($c, '401 Unauthorized', "WWW-Authenticate: Basic realm=\"git\"\r\n", '');
    }
    my $refs = $path =~ m{/info/refs$};
    if ($refs and $lie eq 'endless') {
        print $c "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n",
            line("# service=git-upload-pack\n"), '0000';
        my $n = 0;
        1 while print $c join '', map { line(sprintf("%040x refs/heads/b%d\n", $n, $n++)) } 1 .. 1000;
        return;
    }
    my ($status, $head, $rest) = backend($method, $path, $query, $headers, $body);
    if ($refs and $lie eq 'missing') {
        $rest =~ s/[0-9a-f]{40}(?= )/'1234567890' x 4/ge;
    } elsif ($refs and $lie eq 'escape') {
        $rest = line("# service=git-upload-pack\n") . '0000' . line("ERR \e]0;owned\a\e[31mno such thing\n");
    } elsif (!$refs and $lie eq 'truncated') {
        $rest = substr $rest, 0, length($rest) / 2;
    } elsif (!$refs and $lie eq 'flipped') {
        substr($rest, length($rest) / 2, 1) ^= "\x55";
    }
    $head =~ s/^Content-Length:[^\r\n]*\r\n//mi;
    answer($c, $status, $head, $rest);
}

while (1) {
    my $c = $server->accept or next;
    next if fork;
    $SIG{ALRM} = 'IGNORE';
    serve($c);
    exit;
}
