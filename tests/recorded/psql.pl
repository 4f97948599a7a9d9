#!/usr/bin/perl
# psql.pl FOLDER ARGUMENTS... -- in psql's place, where a recipe names it so: what a real server has once
# answered is answered again, or recorded.
#
# Of FOLDER: rows is what was recorded; journal, when it is there, is what is to be recorded, by means of
# the real psql (with the variables that the file server sets); phase is a word for what goes on in the
# database at this moment.  A statement is known by the checksum of its text: one that was not recorded is
# told in the file unrecorded, and ends this as an error of the server would.  In another phase than it was
# recorded in, it is answered as in the last before.  After an answer that something was signalled or
# cancelled the phase is another one: that word and a plus sign.
use strict;
use warnings;
use Digest::MD5 'md5_hex';
use Fcntl ':flock';
use IPC::Open3;

my ($dir, @arguments) = @ARGV;
my $stops = grep { $_ eq 'ON_ERROR_STOP=1' } @arguments;
$| = 1;

sub text_of {
    open my $file, '<', "$dir/$_[0]" or return '';
    local $/;
    return <$file> // '';
}

# Runs have names of their own, and how a statement is laid out does not matter.
sub digest_of {
    my $text = shift;
    $text =~ s/\s+/ /g;
    $text =~ s/ ?([(),;]) ?/$1/g;
    $text =~ s/'crelease-(migration-)?(?!watch'|hold'|none')[a-z0-9]+'/"'crelease-" . ($1 || '') . "RUN'"/ge;
    return md5_hex($text);
}

sub add {
    my ($name, $text) = @_;
    open my $file, '>>', "$dir/$name" or die "$dir/$name: $!\n";
    flock $file, LOCK_EX;
    print $file $text;
    close $file;
}

# Two sessions may be told at once.
sub phase_after {
    my ($was, $answer) = @_;
    return if $answer !~ /^row\t(?:signalled|cancelled)\t/m;
    open my $lock, '>>', "$dir/phase.lock" or die;
    flock $lock, LOCK_EX;
    open my $file, '>', "$dir/phase.new" or die;
    print $file "$was+\n";
    close $file;
    rename "$dir/phase.new", "$dir/phase" or die;
}

# --- answers: lines "row FIELD...", "err TEXT" ---------------------------------------------------

my ($to, $from);
my $asked = 0;
my $for_psql = '';

# Its errors are read when its answer is: both come to their end with a row of our own.
sub ask_server {
    my $sql = shift;
    my $errors = "$dir/errors.$$";
    if (!$to) {
        for (split /\n/, text_of('server')) { $ENV{$1} = $2 if /^(\w+)=(.*)/ }
        open my $err, '>', $errors or die;
        open3($to, $from, '>&' . fileno($err), 'psql', @arguments);
        close $err;
    }
    my $was = -s $errors;
    my ($answer, $ended) = ('', 1);
    local $SIG{PIPE} = 'IGNORE';
    print $to $for_psql, $sql, "SELECT 'the end of ' || 'answer ", ++$asked, "';\n";
    $to->flush;
    $for_psql = '';
    while (my $line = <$from>) {
        if ($line eq "the end of answer $asked\n") { $ended = 0; last }
        die "a tab in: $line" if $line =~ /\t/;
        chomp $line;
        $answer .= "row\t" . ($line =~ tr/\037/\t/r) . "\n";
    }
    open my $err, '<', $errors or die;
    seek $err, $was, 0;
    while (<$err>) { chomp; $answer .= "err\t$_\n" }
    return ($answer, $ended);
}

my %recorded;
my @phases;

sub read_rows {
    my ($phase, $digest);
    for (split /\n/, text_of('rows')) {
        next if /^#/ || $_ eq '';
        if (/^ask (\S+) ([0-9a-f]{32})/) {
            ($phase, $digest) = ($1, $2);
            push @phases, $phase if !grep { $_ eq $phase } @phases;
            $recorded{$digest}{$phase} = '';
        } else {
            $recorded{$digest}{$phase} .= "$_\n";
        }
    }
}

sub ask_record {
    my ($sql, $phase) = @_;
    my $digest = digest_of($sql);
    my ($of, $found) = $recorded{$digest};
    for (@phases) {
        $found = $of->{$_} // $found if $of;
        last if $_ eq $phase;
    }
    return $found if defined $found;
    my ($first) = $of ? map { $of->{$_} } grep { exists $of->{$_} } @phases : ();
    return $first if defined $first;
    add('unrecorded', "in phase $phase, $digest: $sql");
    return "err\tthis was not recorded: " . substr($sql, 0, 200) . "\n";
}

sub answer {
    my $sql = shift;
    # A sign of life, which every server gives alike, as often as it is asked.
    if ($sql eq "SELECT 'alive';\n") { print "alive\n"; return }
    chomp(my $phase = text_of('phase'));
    my ($answer, $ended);
    if (-e "$dir/journal") {
        ($answer, $ended) = ask_server($sql);
        my $label = substr $sql =~ s/\s+/ /gr, 0, 60;
        add('journal', "ask $phase " . digest_of($sql) . " $label\n$answer");
    } else {
        $answer = ask_record($sql, $phase);
    }
    phase_after($phase, $answer);
    my $failed = 0;
    for (split /\n/, $answer) {
        my ($kind, $text) = split /\t/, $_, 2;
        if ($kind eq 'row') { print $text =~ tr/\t/\037/r, "\n" }
        else { print STDERR "$text\n"; $failed = 1 if $text =~ /ERROR:|FATAL:|not recorded/ }
    }
    exit 3 if $failed && $stops;
    exit 2 if $ended;
}

read_rows();
my $sql = '';
while (my $line = <STDIN>) {
    # A variable of psql: what is asked with it is the same statement.
    if ($sql eq '' && $line =~ /^\\/) { $for_psql .= $line; next }
    next if $sql eq '' && $line eq "\n";
    # Around what is asked, and answered by nothing.
    if ($sql eq '' && $line =~ /^(?:BEGIN|COMMIT|SET .*);$/) { $for_psql .= $line; next }
    $sql .= $line;
    # A sample of the tables is made of statements that are made of answers; a server that runs gives them
    # (tests/system/upcoming.sh), nobody here does.
    if ($line eq "\\gexec\n") { $sql = ''; next }
    if ($line =~ /;\s*$/) { answer($sql) if $sql !~ /^SELECT 'table', /; $sql = '' }
}
close $to if $to;
unlink "$dir/errors.$$";
