<?php
echo "one";
?>
<?php
echo "two";
?>

<?php
echo "three\n";
?>
