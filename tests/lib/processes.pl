#!/usr/bin/perl
# processes.pl [-v] TRACE -- how many processes a deploy started on its host, by stage.
#
# TRACE was made by `strace -f -qq -s 200 -e trace=process,write`, of crelease with `transport: local` or of a host's
# sshd.  Counted are the shell of a script or session and what descends from it.  One line for each stage, "STAGE
# PROCESSES EXECS", then "total ...".  A stage is named after the first mark that its script writes; what writes none is
# "look".  With -v also a line for each process.
use strict;
use warnings;

my $verbose = @ARGV && $ARGV[0] eq '-v' ? shift : '';
my ($file) = @ARGV;
open my $in, '<', $file or die "$file: $!\n";
my @lines = grep { /^\d+\s/ } <$in>;
my (%parent, %ours, %unfinished, %execs);

# First who comes from whom, since a child may appear before its parent's call returns.
for (@lines) {
    my ($pid, $what) = /^(\d+)\s+(.*)/ or next;
    if ($what =~ /^(?:clone3?|fork|vfork)\(.*<unfinished/) { $unfinished{$pid} = $what; next }
    if ($what =~ /^(?:<\.\.\. )?(?:clone3?|fork|vfork)\b.*= (\d+)(?: \/\* (\d+) in strace.s PID NS \*\/)?$/) {
        my $child = $2 // $1;
        my $thread = ($what . (delete $unfinished{$pid} // '')) =~ /CLONE_THREAD/;
        $parent{$child} = $pid unless $thread;
    }
    elsif ($what =~ /^execve\("[^"]*", \[(.*)/) {
        my $argv = $1;
        $ours{$pid} = 1 if $argv =~ /"(?:exec |sudo )[^"]*for i in 1 2 3|^"\/bin\/sh", "-c", "for i in 1 2 3/;
        push @{ $execs{$pid} }, substr $argv, 0, 160 if $what !~ /= -1/;
    }
}

sub is_ours {
    my ($pid) = @_;
    return $ours{$pid} //= exists $parent{$pid} ? is_ours($parent{$pid}) : 0;
}

# The first greeting is that of the session's shell; a script begins with another one, or behind a script that it
# follows in its frame.
my ($phase, $greetings, @names, @order, %phase_of) = (0, 0, 'session');
my %greeted; # each greets on both streams
for (@lines) {
    my ($pid, $what) = /^(\d+)\s+(.*)/ or next;
    next unless is_ours($pid);
    my $greets = $what =~ /^write\(\d, "([0-9a-f]{16} [0-9a-f]{16})\\n/ && !$greeted{$1}++ && $greetings++;
    $names[++$phase] = 'look' if $greets || $what =~ /^write\(1, "chained \d+ 0\\n/;
    $names[$phase] = $1 if $names[$phase] eq 'look' && $what =~ /^write\(\d+, "(?:crelease-marks 1\\n)?([a-z-]+) (?:begun|done) \d+\\n"/;
    push @order, $pid unless exists $phase_of{$pid};
    $phase_of{$pid} = $phase if $greets || !exists $phase_of{$pid};
}

my (@processes, @programs);
for my $pid (@order) {
    my $of = $phase_of{$pid};
    $processes[$of]++;
    $programs[$of] += @{ $execs{$pid} // [] };
    print "$names[$of] $pid: ", join('; ', @{ $execs{$pid} // ['(a copy of the shell)'] }), "\n" if $verbose;
}
my ($all, $all_programs) = (0, 0);
for my $of (0 .. $#names) {
    next unless $processes[$of];
    print "$names[$of] $processes[$of] $programs[$of]\n";
    $all += $processes[$of];
    $all_programs += $programs[$of];
}
print "total $all $all_programs\n";
