adapter='' host='' port='' user='' password='' name='' socket='' sslmode='' service='' passfile='' sslrootcert='' sslcert='' sslkey='' problem='' note=''
read_url "$1" U && check_parts U
echo "$adapter|$host|$port|$user|$password|$name|$socket|$sslmode|$note|$problem"
