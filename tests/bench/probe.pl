#!/usr/bin/perl
# probe.pl KIND DATABASE FILE [EVERY] -- somebody who uses the database while something else happens to it.
# Until SIGTERM:
#
#     select   an ordinary SELECT on the table `events` every 10 ms; in FILE a line "BEGUN TOOK" for each,
#              in milliseconds, BEGUN of the unix clock
#     web      the same once a second, each in a connection of its own, as requests are
#     locks    every EVERY=0.005 seconds: does a pg_dump of the database hold a lock on a table?  In FILE a line
#              "held TIME" or "free TIME" for each change
use strict;
use warnings;
use DBI;
use IO::Handle;
use Time::HiRes qw(time sleep);

my ($kind, $database, $file, $every) = @ARGV;
my $ended = 0;
$SIG{TERM} = sub { $ended = 1 };

sub connection { return DBI->connect("dbi:Pg:dbname=$database", undef, undef, {RaiseError => 1, PrintError => 0}) }
sub ms { return sprintf '%.1f', 1000 * $_[0] }

# Not later for what the one before took, and not more often than that.
sub pace {
    my ($begun, $every) = @_;
    my $left = $begun + $every - time;
    sleep $left if $left > 0;
}

my $select = 'select name from events where id = 1';
my $holds = q{select count(*) from pg_locks l join pg_stat_activity a using (pid)
    where a.application_name = 'pg_dump' and a.datname = current_database() and l.locktype = 'relation'
    and l.mode = 'AccessShareLock' and l.granted};
my $db = connection();
open(my $out, '>', $file) or die "$file: $!";
$out->autoflush;
my $was = '';
while (!$ended) {
    my $begun = time;
    if ($kind eq 'locks') {
        my $is = $db->selectrow_array($holds) ? 'held' : 'free';
        print $out "$is ", ms($begun), "\n" if $is ne $was;
        $was = $is;
        pace($begun, $every // 0.005);
    }
    elsif ($kind eq 'web') {
        if (my $pid = fork) { $SIG{CHLD} = 'IGNORE' }
        else {
            $db->{InactiveDestroy} = 1;
            connection()->selectrow_array($select);
            print $out ms($begun), ' ', ms(time - $begun), "\n";
            exit 0;
        }
        pace($begun, 1);
    }
    else {
        $db->selectrow_array($select);
        print $out ms($begun), ' ', ms(time - $begun), "\n";
        pace($begun, 0.01);
    }
}
